"""Notices new files in a stream's folder, waits until each is complete, and hands them over in order."""

from edge_agent.watch.folder import FolderWatcher, WatchState
from edge_agent.watch.listing import FoundFile, frame_files, list_files
from edge_agent.watch.patterns import PathFilter, is_hidden
from edge_agent.watch.probe import tells_of
from edge_agent.watch.settings import WatchSettings

__all__ = ["FolderWatcher", "FoundFile", "PathFilter", "WatchSettings", "WatchState", "frame_files", "is_hidden", "list_files", "tells_of"]
