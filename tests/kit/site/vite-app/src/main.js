import "./main.css";
import { VERSION } from "./version.js";

const ROUTES = {
  home: () => import("./routes/home.js"),
  prices: () => import("./routes/prices.js"),
  contact: () => import("./routes/contact.js"),
};

const view = document.querySelector("#view");

async function show(name) {
  view.dataset.state = "loading";
  try {
    const route = await ROUTES[name]();
    view.replaceChildren(route.render());
    view.dataset.state = name;
  } catch (error) {
    view.textContent = `${name} could not be loaded: ${error}`;
    view.dataset.state = "failed";
    console.error(error);
  }
}

for (const button of document.querySelectorAll("nav button")) {
  button.addEventListener("click", () => show(button.dataset.route));
}
document.documentElement.dataset.version = VERSION;
show("home");
