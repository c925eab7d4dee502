// Theme and single-key shortcuts: at once here, and in a cookie for the next page. The form works without this.

const YEAR = 31536000;

export function startPreferences() {
  for (const form of document.querySelectorAll("form[data-preferences]")) {
    form.addEventListener("submit", (event) => {
      const button = event.submitter;
      if (button?.name !== "theme") return;
      event.preventDefault();
      setTheme(button.value);
      for (const other of form.querySelectorAll("button[name=theme]")) other.toggleAttribute("aria-current", false);
      button.setAttribute("aria-current", "true");
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", announceScheme);
  matchMedia("(forced-colors: active)").addEventListener("change", announceScheme);
}

function setTheme(theme) {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `weir_theme=${theme}; Path=/; Max-Age=${YEAR}; SameSite=Lax${secure}`;
  announceScheme();
}

function announceScheme() {
  document.dispatchEvent(new CustomEvent("schemechange"));
}
