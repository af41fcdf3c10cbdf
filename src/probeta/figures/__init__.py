"""Static figures out of arrays and finished run directories: matplotlib alone, never torch."""
