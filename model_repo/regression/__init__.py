"""Uncertainty of a number, not of a class: formation enthalpy from composition, and the sinusoid of Bi et al."""
