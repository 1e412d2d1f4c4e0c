"""What a measurement asks for (`target`, `kinds`) and what it saw (`ooni`), as plain values.

The probe writes these values, truth reads them, scenarios check their targets with them. Nothing here opens a
socket or imports anything of ours but `testbed.errors`.
"""
