PASS = "camera12"
