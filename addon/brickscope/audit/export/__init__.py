"""The log in the words of others: Elastic Common Schema and OCSF, for a SIEM."""
