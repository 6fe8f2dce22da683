/**
 * A certificate of localhost that no authority has signed, and its key; they are good for nothing but tests.
 */
export const privateKey = [
  "-----BEGIN PRIVATE KEY-----",
  "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgbClMKboA7EB/y9Hj",
  "pzc8A5cfbSOZiWbgct8/g+JjFCuhRANCAATBnYL5EMaGhs1/4WNZhXuj7uf4SSLE",
  "LcwBEKm4n9Vdz+s6P9D7Ph0E9uJBebdfRxYjeQQkQxpVma2LMx6nAd1p",
  "-----END PRIVATE KEY-----"
].join("\n")

export const certificate = [
  "-----BEGIN CERTIFICATE-----",
  "MIIBmzCCAUGgAwIBAgIUcXYMrDGilRVAZ8vAlQDoUOqGfW8wCgYIKoZIzj0EAwIw",
  "FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjE5NTAxOVoYDzIxMjYxMDI5",
  "MTk1MDE5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO",
  "PQMBBwNCAATBnYL5EMaGhs1/4WNZhXuj7uf4SSLELcwBEKm4n9Vdz+s6P9D7Ph0E",
  "9uJBebdfRxYjeQQkQxpVma2LMx6nAd1po28wbTAdBgNVHQ4EFgQU1a7rjnvTv4Wx",
  "+kD0weebDzVNM3UwHwYDVR0jBBgwFoAU1a7rjnvTv4Wx+kD0weebDzVNM3UwDwYD",
  "VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI",
  "zj0EAwIDSAAwRQIhAM4SfpUq1Qzf4YKufxfoY2ps13IxI5RPk+WquBjCzfJ1AiAf",
  "cLk1cx/3OJe+KbP7PsS/FlbeHECSxKW2xyC4f+jqog==",
  "-----END CERTIFICATE-----"
].join("\n")
