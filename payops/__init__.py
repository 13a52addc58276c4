"""payops: the terminal a payments on-call person keeps open."""
