"""What people look at rather than read: a page, a workbook, a calendar.

Nothing here opens a journal or asks a vendor: it draws the `Matter` that it is handed.
"""
