# a page left open over night asks every three seconds with a token that has ended; nobody logs in
0s x9600 every=3s weak 198.51.100.20 service=nginx
