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

/** Look again, quietly, whether what this page waits for has come; then load it. */
function lookAgain() {
  const part = document.querySelector("[data-look-again]");
  if (!part) {
    return;
  }
  setTimeout(async () => {
    try {
      const response = await fetch(location.href, { cache: "no-store" });
      if (response.status !== 202) {
        location.reload();
        return;
      }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = page.querySelector("[data-look-again]");
      if (fresh && fresh.textContent !== part.textContent) {
        part.replaceChildren(...fresh.children);
      }
    } catch {
      // the site is away for a moment: the next look may find it again
    }
    lookAgain();
  }, Number(part.dataset.lookAgain) * 1000);
}

focusSearchBySlash();
offerCopying();
lookAgain();
offerFolding();
closeMenus();
