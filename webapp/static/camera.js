// The camera in a dialog, with a frame to aim with; what is in the frame is taken.

import { canvasOf, element, word } from "./words.js";

export const cameraIsThere = Boolean(navigator.mediaDevices?.getUserMedia); // over HTTPS, or on this machine

// A JPEG of what was in the frame; null where the dialog was left.  Throws where there is no camera, or none is allowed.
export async function takePhoto(dialog) {
  const video = dialog.querySelector("video"), frame = dialog.querySelector(".frame");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } },
    });
  } catch (error) {
    throw new Error(word("camera_failed", { reason: error.message || error.name }));
  }
  try {
    video.srcObject = stream;
    dialog.returnValue = "";
    const taken = await new Promise((resolve, reject) => {
      dialog.querySelector("#take").onclick = () => video.videoWidth && resolve(framed(video, frame));
      dialog.onclose = () => resolve(null); // before the camera shows anything, too
      dialog.showModal();
      video.play().catch(reject);
    });
    return taken && await new Promise((resolve) => taken.toBlob(resolve, "image/jpeg", 0.92));
  } finally {
    dialog.close();
    stream.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
  }
}

// The part of the video that the frame is over; both are shown whole.
function framed(video, frame) {
  const seen = video.getBoundingClientRect(), aim = frame.getBoundingClientRect();
  const scale = video.videoWidth / seen.width;
  const whole = canvasOf(element("canvas", { width: video.videoWidth, height: video.videoHeight }));
  whole.getContext("2d").drawImage(video, 0, 0);
  const part = element("canvas", { width: Math.round(aim.width * scale), height: Math.round(aim.height * scale) });
  part.getContext("2d").drawImage(whole, -(aim.left - seen.left) * scale, -(aim.top - seen.top) * scale);
  return part;
}
