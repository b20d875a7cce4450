"""What measures and attacks the proxy and is no part of it: a fake workspace, the bench, the soak. It is not installed."""
