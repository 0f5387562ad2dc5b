import { VERSION } from "../version.js";

/** A heading that tells by its version which build's code drew it. */
export function page(title) {
  const box = document.createElement("section");
  const head = document.createElement("h1");
  head.textContent = `${title} of version ${VERSION}`;
  box.append(head);
  return box;
}
