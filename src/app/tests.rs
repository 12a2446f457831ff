//! Rules of application files, each by an application in memory or in a directory.
