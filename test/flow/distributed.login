# one address, one try: told once, nobody is locked out
0s x100 every=10s refused 203.0.113.1 next=1 user=root attempt=each
# about thirty: the count is an estimate
expect 310s distributed 203.0.113.32/32
