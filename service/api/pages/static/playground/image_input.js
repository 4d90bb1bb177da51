// a chosen, dropped, pasted or photographed file ──▶ the image of the request, and its preview.

import { byId } from "../shared/dom.js";
import { size } from "../shared/notation.js";

let image = null;

/** The file to send; null before there is one. */
export const currentImage = () => image;

/** Media type to send: the server tells the type by the bytes, and takes any that says image. */
export const mediaType = (file) => (file.type.startsWith("image/") ? file.type : "application/octet-stream");

/**
 * Listens for images.
 * @param {() => void} changed is called after each new one
 */
export function watchImages(changed) {
  const take = (files, what) => {
    if (files.length === 0) return say(`Nothing was taken: ${what} holds no file.`);
    show(files[0]);
    say(files.length > 1 ? `One image at a time: took ${files[0].name}, left out ${files.length - 1}.` : "");
    changed();
  };
  const input = byId("file");
  input.addEventListener("change", () => input.files.length > 0 && take([...input.files], "the choice"));
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    const isText = event.target.matches?.("input:not([type=file])");
    if (files.length > 0 || !isText) {
      event.preventDefault();
      take(files, "the clipboard");
    }
  });
  watchDrops((transfer) => take([...transfer.files], "what was dropped"));
  watchCamera((file) => take([file], "the camera"));
}

function say(text) {
  byId("image-note").textContent = text;
}

function show(file) {
  image = file;
  const preview = byId("preview");
  URL.revokeObjectURL(preview.src);
  preview.hidden = true;
  preview.onload = () => {
    preview.hidden = false;
    preview.alt = `Your image, ${preview.naturalWidth} by ${preview.naturalHeight} pixels`;
  };
  preview.src = URL.createObjectURL(file);
  byId("file-name").textContent = `${file.name} · ${size(file.size)}`;
  byId("drop").classList.add("full");
}

function watchDrops(dropped) {
  const drop = byId("drop");
  let depth = 0; // dragenter and dragleave come for each element on the way
  const light = (step) => drop.classList.toggle("over", (depth = Math.max(0, depth + step)) > 0);
  document.addEventListener("dragenter", () => light(1));
  document.addEventListener("dragleave", () => light(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    light(-depth);
    dropped(event.dataTransfer);
  });
}

const CAMERA_FAULTS = {
  NotAllowedError: "The browser was not allowed to use the camera.",
  NotFoundError: "No camera was found.",
  NotReadableError: "Another program uses the camera.",
};

function watchCamera(taken) {
  const [button, dialog, video] = [byId("camera"), byId("camera-dialog"), byId("viewfinder")];
  button.hidden = !navigator.mediaDevices; // which browsers offer over HTTPS and on this machine alone
  button.addEventListener("click", async () => {
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      dialog.showModal();
    } catch (fault) {
      say(CAMERA_FAULTS[fault.name] ?? `The camera cannot be used: ${fault.message}`);
    }
  });
  byId("camera-cancel").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => video.srcObject?.getTracks().forEach((track) => track.stop()));
  byId("shoot").addEventListener("click", () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => blob && taken(new File([blob], "camera.jpg", { type: blob.type })), "image/jpeg", 0.92);
    dialog.close();
  });
}
