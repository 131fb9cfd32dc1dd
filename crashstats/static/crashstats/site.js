// Comforts for those who have JavaScript. Every page works without.
"use strict";

/** Let "/" put the cursor into the search box, unless somebody is typing. */
function focusSearchBySlash() {
  const box = document.querySelector("[data-shortcut='/']");
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      box?.focus();
    }
  });
}

/** Put a button that copies its text behind every element that asks for one. */
function offerCopying() {
  if (!navigator.clipboard) {
    return; // only pages by HTTPS or from this machine may write to the clipboard
  }
  for (const element of document.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(element.textContent);
      button.textContent = "Copied";
    });
    element.after(button);
  }
}

/** Offer to open and close all threads at once. */
function offerFolding() {
  for (const list of document.querySelectorAll("[data-fold-all]")) {
    const button = document.createElement("button");
    button.className = "fold-all";
    button.textContent = "Open all";
    button.addEventListener("click", () => {
      const open = button.textContent === "Open all";
      for (const item of list.querySelectorAll("details")) {
        item.open = open;
      }
      button.textContent = open ? "Close all" : "Open all";
    });
    list.before(button);
  }
}

/** Close the account menu when something else is clicked or Escape is pressed. */
function closeMenus() {
  const close = (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (event.key === "Escape" || (event.type === "click" && !menu.contains(event.target))) {
        menu.open = false;
      }
    }
  };
  document.addEventListener("click", close);
  document.addEventListener("keydown", close);
}

focusSearchBySlash();
offerCopying();
offerFolding();
closeMenus();
