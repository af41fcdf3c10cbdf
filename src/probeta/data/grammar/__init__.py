"""English–German sentence pairs with gold word alignments, drawn from a typed grammar."""
