"""Known flaws of the packages that stand in a request's path, held against what is installed. Without network."""
