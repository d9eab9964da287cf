// Keeps numbers fresh, loads rows that come into view, and shows the progress of a capture.
// The pages work without it. Requests go only to the page's own server, and none while it is hidden.
'use strict';

// Fetches a page as a document. Throws an error whose message is a sentence.
async function fetchPage(address) {
  const answer = await fetch(address, { headers: { Accept: 'text/html' }, cache: 'no-store' });
  const text = await answer.text();
  if (!answer.ok) {
    const error = new Error(text.trim() || answer.statusText);
    error.retryAfter = Number(answer.headers.get('Retry-After')) * 1000;
    throw error;
  }
  return new DOMParser().parseFromString(text, 'text/html');
}

// ---- fresh numbers ----

// Replaces the live parts of the page now and then.
function keepFresh(main) {
  const status = document.getElementById('live');
  const words = document.createElement('span');
  const button = document.createElement('button');
  button.type = 'button';
  status.append(words, button);
  let timer = 0;
  let paused = false;
  let isLoading = false;

  const say = (text) => { if (words.textContent !== text) words.textContent = text; };
  const refresh = () => Number(main.dataset.refresh) || 2000;
  const plan = (delay) => {
    clearTimeout(timer);
    if (!paused && !document.hidden) timer = setTimeout(update, delay);
  };
  const label = () => {
    button.textContent = paused ? 'Resume' : 'Pause';
    say(paused ? 'paused' : 'live');
    words.title = `updated every ${Math.round(refresh() / 1000)} s while the page is visible`;
  };

  async function update() {
    if (isLoading) return;
    isLoading = true;
    let delay = refresh();
    try {
      const fresh = await fetchPage(location.href);
      if (paused || document.hidden) return;
      main.dataset.refresh = fresh.getElementById('main').dataset.refresh;
      for (const part of main.querySelectorAll('[data-live]')) replacePart(part, fresh.getElementById(part.id));
      delay = refresh();
      label();
    } catch (error) {
      say(`no answer: ${error.message}; trying again`);
      delay = Math.max(error.retryAfter || 0, 2 * refresh());
    } finally {
      isLoading = false;
      plan(delay);
    }
  }

  button.addEventListener('click', () => { paused = !paused; label(); plan(0); });
  document.addEventListener('visibilitychange', () => plan(0));
  label();
  plan(refresh());
}

// Replaces one part by its fresh form, unless text in it is selected. Keeps the focus on its link.
function replacePart(old, fresh) {
  if (!fresh || old.innerHTML === fresh.innerHTML) return;
  const selection = getSelection();
  if (!selection.isCollapsed && selection.containsNode(old, true)) return;
  const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
  const scrolled = [...old.querySelectorAll('.wide')].map((box) => box.scrollLeft);
  old.replaceChildren(...document.adoptNode(fresh).childNodes);
  old.querySelectorAll('.wide').forEach((box, at) => { box.scrollLeft = scrolled[at] || 0; });
  if (focused) [...old.querySelectorAll('a')].find((link) => link.getAttribute('href') === focused)?.focus({ preventScroll: true });
}

// ---- rows ----

// Makes the table as high as all its rows, and loads those near the view. Rows far from it are gaps.
function fillRows(table) {
  const total = Number(table.dataset.rows);
  const size = Number(table.dataset.size);
  const MAX_FILLED = 12;
  const given = table.tBodies[0];
  const first = given ? Number(given.dataset.from) : 0;
  // Without a stored snapshot, or in the middle of a page, the links to other pages stay.
  if (!given || !given.rows.length || total <= size || !table.dataset.snapshot || first % size) return;
  document.querySelector('nav.pages').hidden = true;
  const height = given.getBoundingClientRect().height / given.rows.length;
  const columns = given.rows[0].cells.length;
  const filled = [given];

  const gap = (body) => {
    const from = Number(body.dataset.from);
    const row = document.createElement('tr');
    const cell = document.createElement('td');
    cell.colSpan = columns;
    cell.style.height = `${height * Math.min(size, total - from)}px`;
    row.setAttribute('aria-hidden', 'true');
    row.append(cell);
    body.replaceChildren(row);
    body.dataset.state = 'gap';
  };
  const fill = async (body) => {
    if (body.dataset.state !== 'gap') return;
    body.dataset.state = 'loading';
    const address = new URL(table.dataset.next, location.href);
    address.searchParams.set('from', body.dataset.from);
    try {
      const fresh = await fetchPage(address);
      const rows = fresh.querySelector('#tasks tbody');
      if (!rows || fresh.getElementById('tasks').dataset.snapshot !== table.dataset.snapshot) {
        throw new Error('the snapshot of the tasks has expired; take a new one');
      }
      body.replaceChildren(...document.adoptNode(rows).childNodes);
      body.dataset.state = 'rows';
      filled.push(body);
    } catch (error) {
      body.dataset.state = 'gap';
      showError(table, error.message);
      return;
    }
    while (filled.length > MAX_FILLED) {
      const far = filled.findIndex((body) => !near(body));
      if (far < 0) break;
      gap(filled.splice(far, 1)[0]);
    }
  };
  const near = (body) => {
    const box = body.getBoundingClientRect();
    return box.bottom > -3000 && box.top < innerHeight + 3000;
  };

  const watcher = new IntersectionObserver((entries) => {
    // A reader who scrolls past does not wait for rows that are out of view again.
    for (const each of entries) if (each.isIntersecting) setTimeout(() => { if (near(each.target)) fill(each.target); }, 60);
  }, { rootMargin: '1000px' });
  const bodies = [];
  for (let from = 0; from < total; from += size) {
    if (from === first) { bodies.push(given); continue; }
    const body = document.createElement('tbody');
    body.dataset.from = from;
    gap(body);
    bodies.push(body);
  }
  given.dataset.state = 'rows';
  table.append(...bodies);
  if (first > 0) given.scrollIntoView();
  bodies.forEach((body) => watcher.observe(body));
}

// Shows an error above the table.
function showError(table, text) {
  let place = document.getElementById('rows-error');
  if (!place) {
    place = document.createElement('p');
    place.id = 'rows-error';
    place.className = 'bad';
    place.setAttribute('role', 'alert');
    table.closest('.wide').before(place);
  }
  place.textContent = text;
}

// ---- a capture ----

// Sends the form without leaving the page, and shows how far the capture is.
function captureInPlace(form) {
  const box = document.getElementById('progress');
  const bar = box.querySelector('progress');
  const words = document.getElementById('progress-words');
  const error = document.getElementById('capture-error');
  let abort = null;
  box.querySelector('button').addEventListener('click', () => abort?.abort());

  // A profile of one moment usually goes without seconds, every other one with them.
  const seconds = form.elements.seconds;
  const usual = seconds.value;
  form.elements.source.addEventListener('change', (event) => {
    seconds.value = 'instant' in event.target.selectedOptions[0].dataset ? '' : usual;
  });

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (abort) return;
    abort = new AbortController();
    const query = new URLSearchParams(new FormData(form));
    error.textContent = '';
    bar.value = 0;
    words.textContent = `Capturing ${query.get('source')}${query.get('seconds') ? `, ${query.get('seconds')} s` : ''}`;
    box.hidden = false;
    box.querySelector('button').focus();
    try {
      const answer = await fetch(`${form.action}?${query}`, {
        headers: { Accept: 'application/x-ndjson' }, cache: 'no-store', signal: abort.signal,
      });
      if (!answer.ok) throw new Error((await answer.text()).trim());
      const open = await lines(answer.body, (line) => { if (line.done !== undefined) bar.value = line.done; });
      location.assign(`${new URL('profiles', form.action)}?open=${open}`);
    } catch (reason) {
      error.textContent = reason.name === 'AbortError' ? 'Cancelled.' : reason.message;
      box.hidden = true;
      form.querySelector('button').focus();
    } finally {
      abort = null;
    }
  });
  // The form is as it was for a reader who comes back by the history.
  addEventListener('pageshow', () => { if (!abort) box.hidden = true; });
}

// Reads lines of JSON up to the one with the number of the capture. Calls `onProgress` with each line before it.
async function lines(body, onProgress) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error('the server has ended before the capture was complete');
    const parts = (rest + value).split('\n');
    rest = parts.pop();
    for (const part of parts) {
      const line = JSON.parse(part);
      if (line.error) throw new Error(line.error);
      if (line.open) return line.open;
      onProgress(line);
    }
  }
}

// Makes a frame no higher than the picture in it.
function fitFrame(frame) {
  const fit = () => {
    const picture = frame.contentDocument?.documentElement;
    const height = Number(picture?.getAttribute('height'));
    if (!height) return;
    frame.style.height = `min(75vh, ${height + 4}px)`;
    // The root is at the bottom.
    frame.contentWindow.scrollTo(0, height);
  };
  frame.addEventListener('load', fit);
  fit();
}

const main = document.getElementById('main');
if (main.dataset.refresh) keepFresh(main);
const tasks = document.querySelector('table#tasks');
if (tasks) fillRows(tasks);
const captureForm = document.getElementById('capture');
if (captureForm) captureInPlace(captureForm);
const graph = document.getElementById('graph');
if (graph) fitFrame(graph);
