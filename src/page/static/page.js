// Keeps an open page up to date: loads it again in the background and replaces the parts that have changed. Everything
// works without this script, by loading the page again.
'use strict';
(() => {
  const EVERY_MS = 2000;
  const LONGEST_MS = 30000;
  let etag;
  let failures = 0;
  let timer;

  /** Part by part, so that what a person reads, has opened or stands on is left alone while it stays the same. */
  function take(fresh) {
    for (const part of fresh.querySelectorAll('[data-live]')) {
      const old = document.getElementById(part.id);
      if (old === null || shown.get(part.id) === part.outerHTML) continue;
      shown.set(part.id, part.outerHTML);
      replace(old, document.importNode(part, true));
    }
    if (fresh.title !== '') document.title = fresh.title;
  }

  function replace(old, part) {
    for (const open of old.querySelectorAll('details[open][id]')) {
      part.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute('open', '');
    }
    const focus = focusIn(old);
    const scrolled = [...old.querySelectorAll('.scroll')].map((one) => one.scrollLeft);
    old.replaceWith(part);
    [...part.querySelectorAll('.scroll')].forEach((one, index) => (one.scrollLeft = scrolled[index] ?? 0));
    addCopyButtons(part);
    focus?.();
  }

  /** Puts the focus back on the same element of the new part: the one with that id, address or place. */
  function focusIn(old) {
    const active = document.activeElement;
    if (active === null || !old.contains(active)) return undefined;
    const all = 'a, summary, button, [tabindex]';
    const index = [...old.querySelectorAll(all)].indexOf(active);
    return () => document.getElementById(old.id)?.querySelectorAll(all)[index]?.focus({ preventScroll: true });
  }

  function lost(words) {
    const place = document.getElementById('lost');
    if (place === null) return;
    place.hidden = words === '';
    if (place.textContent !== words) place.textContent = words;
  }

  async function look() {
    try {
      const headers = etag === undefined ? {} : { 'If-None-Match': etag };
      const answer = await fetch(location.href, { headers, cache: 'no-store', signal: AbortSignal.timeout(10000) });
      if (answer.status === 401) return location.reload();
      if (answer.status === 200 || answer.status === 404) {
        etag = answer.headers.get('ETag') ?? undefined;
        take(new DOMParser().parseFromString(await answer.text(), 'text/html'));
      } else if (answer.status !== 304) throw new Error(String(answer.status));
      failures = 0;
      seen = new Date();
      lost('');
    } catch {
      failures += 1;
      if (failures > 1) lost(`The page's server does not answer. What is shown is of ${seen.toLocaleTimeString()}.`);
    }
    plan();
  }

  function plan() {
    clearTimeout(timer);
    if (document.hidden) return;
    timer = setTimeout(look, failures === 0 ? EVERY_MS : Math.min(1000 * 2 ** failures, LONGEST_MS));
  }

  function addCopyButtons(root) {
    if (navigator.clipboard === undefined) return;
    for (const code of root.querySelectorAll('code.command')) {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'copy';
      button.textContent = 'Copy';
      button.setAttribute('aria-label', `Copy: ${code.textContent}`);
      button.addEventListener('click', () => {
        navigator.clipboard.writeText(code.textContent).then(
          () => (button.textContent = 'Copied'),
          () => (button.textContent = 'Not allowed'),
        );
      });
      code.after(button);
    }
  }

  const shown = new Map([...document.querySelectorAll('[data-live]')].map((part) => [part.id, part.outerHTML]));
  let seen = new Date();
  addCopyButtons(document);
  document.addEventListener('visibilitychange', () => (document.hidden ? plan() : look()));
  plan();
})();
