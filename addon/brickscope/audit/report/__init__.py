"""The report for auditors: what a log says, as one page that needs nothing but a browser."""
