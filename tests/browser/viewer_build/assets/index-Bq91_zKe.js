// Does in little what the viewer does: finds its place by the path, its server and key in the browser's storage,
// asks for jobs, plays a video out of memory, runs a worker and WebAssembly.
const base = "/viewer/";
const facts = {};
const root = document.querySelector("#root");

function show(name, value) {
  facts[name] = value;
  root.innerHTML = "<h1>Stand-in for the viewer</h1><dl></dl>";
  const list = root.querySelector("dl");
  for (const [term, text] of Object.entries(facts)) {
    const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
    dt.textContent = term;
    dd.textContent = text;
    dd.id = term;
    list.append(dt, dd);
  }
}

async function attempt(name, work) {
  try {
    show(name, await work());
  } catch (error) {
    show(name, `failed: ${error.message || error.name || error.type}`);
  }
}

const server = (localStorage.getItem("videoannotator_api_url") || location.origin).replace("localhost", "127.0.0.1");
const key = localStorage.getItem("videoannotator_api_token");
show("page", location.pathname.slice(base.length) || "home");

await attempt("jobs", async () => {
  const answer = await fetch(`${server}/api/v1/jobs?per_page=1`, { headers: { Authorization: `Bearer ${key}` } });
  const body = await answer.json();
  return answer.ok ? `${body.total} in all` : `refused: ${body.detail}`;
});
await attempt("blob", async () => {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob(['<svg xmlns="http://www.w3.org/2000/svg" width="3" height="2"/>'],
    { type: "image/svg+xml" }));
  await image.decode();
  return `${image.width} x ${image.height}`;
});
await attempt("worker", () => new Promise((done, fail) => {
  const script = URL.createObjectURL(new Blob(["postMessage(6 * 7)"], { type: "text/javascript" }));
  const worker = new Worker(script);
  worker.onmessage = (event) => done(String(event.data));
  worker.onerror = fail;
}));
await attempt("wasm", async () => {
  await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
  return "compiled";
});
if (location.pathname.endsWith("/outside")) {
  await attempt("outside", async () => (await fetch("http://outside.example/data.json")).status);
}
show("done", "yes");
