// The file manager.

import { byId, make, setText } from "./dom.js";
import { key } from "./remote_control.js";
import { bytes, t } from "./text.js";

export function buildFiles() {
  byId("list").addEventListener("click", () => listFolder());
  byId("files").addEventListener("toggle", () => byId("files").open && listFolder());
  byId("upload").addEventListener("change", uploadFile);
}

async function fileRequest(path, wanted, body) {
  const query = new URLSearchParams(wanted);
  const response = await fetch(`${path}?${query}`, {
    method: "POST",
    headers: { "x-demo-key": key, "content-type": "application/octet-stream" },
    body,
  });
  if (!response.ok) throw new Error(await response.text());
  return response;
}

async function listFolder(path = byId("folder").value) {
  setText(byId("files-word"), t("Reading…", "正在读取…"));
  try {
    const files = await (await fileRequest("/demo/files/list", { path })).json();
    byId("folder").value = path;
    setText(byId("files-word"), "");
    byId("file-list").replaceChildren(...files.map(fileEntry));
  } catch (error) {
    setText(byId("files-word"), error.message);
  }
}

function fileEntry(file) {
  const name = file.is_dir ? `${file.name}/` : file.name;
  const button = make("button", { type: "button", textContent: name.slice(0, 300) });
  button.addEventListener("click", () => file.is_dir ? listFolder(file.path) : download(file));
  const size = make("span", {
    className: "soft",
    textContent: file.is_dir ? "" : bytes(file.size),
  });
  return make("li", {}, [button, size]);
}

async function download({ path, name }) {
  setText(byId("files-word"), t("Downloading…", "正在下载…"));
  try {
    const blob = await (await fileRequest("/demo/files/download", { path })).blob();
    const href = URL.createObjectURL(blob);
    make("a", { href, download: name }).click();
    URL.revokeObjectURL(href);
    setText(byId("files-word"), `${name}: ${bytes(blob.size)}`);
  } catch (error) {
    setText(byId("files-word"), error.message);
  }
}

async function uploadFile() {
  const [file] = byId("upload").files;
  if (file === undefined) return;
  setText(byId("files-word"), t("Uploading…", "正在上传…"));
  const folder = byId("folder").value;
  try {
    const path = `${folder.replace(/\/?$/, "/")}${file.name}`;
    await fileRequest("/demo/files/upload", { path }, file);
    await listFolder(folder);
  } catch (error) {
    setText(byId("files-word"), error.message);
  }
  byId("upload").value = "";
}
