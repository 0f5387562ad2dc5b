import "./prices.css";
import picture from "./prices.svg";
import { page } from "./page.js";

export function render() {
  const box = page("Prices");
  box.className = "prices";
  const image = document.createElement("img");
  image.src = picture;
  image.width = 96;
  image.alt = "a chart";
  box.append(image);
  return box;
}
