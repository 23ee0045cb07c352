/** Folder with what the browser needs to draw pages: viewer.js, viewer.css, fonts and icons. Made once, in the cache. */
export function viewerBundle(): string
