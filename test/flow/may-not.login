# by the shape of the line alone: told once a window, never banned, and it hides nobody
0s x100 every=1s refused 203.0.113.7 attempt=each source=container:shop/web may-ban=no
expect 4s bruteforce 203.0.113.7/32 container:shop/web
200s x5 every=1s refused 203.0.113.7 attempt=each
expect 204s ban 203.0.113.7/32 fast 5
