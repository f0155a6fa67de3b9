# uptime monitors with a wrong password, for a day: every minute, every 20 and every 5 seconds, every two
0s x1440 every=60s weak 198.51.100.30 service=nginx
0s x4320 every=20s weak 198.51.100.31 service=nginx user=monitor
0s x17280 every=5s weak 198.51.100.32 service=nginx
0s x43200 every=2s weak 198.51.100.33 service=nginx
