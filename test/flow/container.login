# one line from a container among them: its budget pays
0s x4 every=1s refused 203.0.113.7 attempt=each
5s refused 203.0.113.7 service=nginx source=container:shop/web
expect 5s ban 203.0.113.7/32 fast 5 container:shop/web
