"""The only tolerances the tests use, all relative; a looser one needs a reason in place."""

EXACT = 1e-12  # algebraic identities in float64
TIGHT = 1e-9  # float64 after a cancellation, such as collapse far from the origin
ITERATED = 1e-6  # integrated or optimized in float64
SINGLE = 1e-4  # paths that pass through float32
