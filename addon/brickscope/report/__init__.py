"""The auditor's page: one HTML file that says what a log holds, and whether it can be believed."""
