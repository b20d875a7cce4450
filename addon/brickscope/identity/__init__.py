"""Who a credential is, where that takes more than the policy: verified OAuth tokens, public keys, hosts' own word."""
