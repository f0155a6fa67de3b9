# four refused logins, each told by several lines of two sources: nobody is banned
0s x4 every=10s refused 203.0.113.7 user=root attempt=each
0s x4 every=10s refused 203.0.113.7 user=root attempt=each source=journal:ssh.service
