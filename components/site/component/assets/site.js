// What the pages do better with a script. Without it they work, too: times are in UTC, and the quota is as of the load.

const language = document.documentElement.lang;
const PAUSE_MS = 5000;

// Times in the reader's own time zone, named.
function showLocalTimes(part) {
  const format = new Intl.DateTimeFormat(language, {
    day: "numeric", month: "short", year: "numeric",
    hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
  });
  for (const time of part.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) time.textContent = format.format(at);
  }
}

// The parts that are marked as live, as the server has them now. False: there is nothing to ask for any more.
async function refresh(parts) {
  const response = await fetch("/live");
  if (response.redirected || response.status === 404) return false;
  if (!response.ok) return true;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of parts) {
    const its = fresh.getElementById(part.id);
    if (!its) continue;
    part.replaceChildren(...its.childNodes);
    showLocalTimes(part);
  }
  return true;
}

async function keepFresh() {
  const parts = document.querySelectorAll("[data-live]");
  if (parts.length === 0) return;
  for (let goesOn = true; goesOn; ) {
    await new Promise((wake) => setTimeout(wake, PAUSE_MS));
    if (document.hidden) continue;
    // A server that is away now may be back later.
    goesOn = await refresh(parts).catch(() => true);
  }
}

showLocalTimes(document);
keepFresh();
