Feeds;
Reader:
    handlers: [ reader: Reader = Reader ]
    routes: []
