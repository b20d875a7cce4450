"""The demonstration and the workspace that it calls, which is none. The proxy never imports it."""
