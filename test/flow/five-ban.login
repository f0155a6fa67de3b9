# the fifth is one too many; journal and auth.log tell the same
0s x5 every=10s refused 203.0.113.7 user=root attempt=each
0s x5 every=10s refused 203.0.113.7 user=root attempt=each source=journal:ssh.service
expect 40s ban 203.0.113.7/32 fast 5
