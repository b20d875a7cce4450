"""The certificate authority that clients of the proxy trust: what it is, how the next one is made and taken into use.

No mitmproxy here: only its file names, so that the commands work where the proxy does not run.
"""
