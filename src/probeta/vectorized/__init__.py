"""Many runs as one: K members of a model trained along one more dimension of every tensor."""
