"""Readers of Office Open XML (ECMA-376, ISO/IEC 29500): word processing and presentations."""
