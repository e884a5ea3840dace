// Runs before the page is painted. A link opens what it is of, without the first look.
if (location.hash.length > 1 || location.search.includes('bench')) document.documentElement.dataset.linked = ''
if (location.search.includes('embed')) document.documentElement.dataset.embed = ''
