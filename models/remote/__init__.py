"""Bundles at URLs: folders, object storage and web servers."""
