// The service worker: the page from the server where it answers, else as it was kept.  VERSION and FILES, which the
// server puts before this, are a hash of the page and its files.

const CACHE = `glyphlite-page-${VERSION}`;
const DEVICE_CACHE = "glyphlite-device"; // filled by device.js
const PATIENCE_MS = 3000; // for the server to answer, where there is something kept

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(["/", ...FILES])).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    const names = await caches.keys();
    const old = names.filter((name) => name.startsWith("glyphlite-page-") && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  })());
});

self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== self.location.origin) {
    return;
  }
  if (pathname === "/" || FILES.includes(pathname) || pathname === "/device/model.json") {
    event.respondWith(freshOrKept(event));
  } else if (pathname.startsWith("/device/")) { // its address names its content
    event.respondWith(kept(event.request, DEVICE_CACHE).then((found) => found ?? fetch(event.request)));
  }
});

const kept = async (request, name, options) => (await caches.open(name)).match(request, { ignoreVary: true, ...options });

async function freshOrKept(event) {
  const isPage = event.request.mode === "navigate";
  const fresh = fetch(event.request).then(async (response) => {
    if (response.ok && isPage) { // in the language that was last looked at
      const copy = response.clone();
      await (await caches.open(CACHE)).put("/", copy);
    }
    return response;
  });
  const name = event.request.url.endsWith("/device/model.json") ? DEVICE_CACHE : CACHE;
  const old = await kept(isPage ? "/" : event.request, name, { ignoreSearch: true });
  if (!old) {
    return fresh;
  }
  event.waitUntil(fresh.catch(() => {}));
  const patience = new Promise((resolve) => { setTimeout(resolve, PATIENCE_MS, old); });
  return Promise.race([fresh.catch(() => old), patience]);
}
