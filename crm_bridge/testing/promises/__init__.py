"""The promises, a chapter a file; `AdapterContract` holds them all."""
