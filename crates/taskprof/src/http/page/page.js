// What the pages can do more with a script: fresh numbers, rows that come when they are looked at, a capture with its progress.
// Everything is there without it. It asks nobody but the server that the page came from, and nothing while the page cannot be seen.
'use strict';

// The same page again, as a document; throws a sentence.
async function again(address) {
  const answer = await fetch(address, { headers: { Accept: 'text/html' }, cache: 'no-store' });
  const text = await answer.text();
  if (!answer.ok) {
    const error = new Error(text.trim() || answer.statusText);
    error.after = Number(answer.headers.get('Retry-After')) * 1000;
    throw error;
  }
  return new DOMParser().parseFromString(text, 'text/html');
}

// ---- fresh numbers ----

function keepFresh(main) {
  const status = document.getElementById('live');
  const words = document.createElement('span');
  const button = document.createElement('button');
  button.type = 'button';
  status.append(words, button);
  let timer = 0;
  let paused = false;
  let asking = false;

  const say = (text) => { if (words.textContent !== text) words.textContent = text; };
  const every = () => Number(main.dataset.every) || 2000;
  const plan = (after) => {
    clearTimeout(timer);
    if (!paused && !document.hidden) timer = setTimeout(look, after);
  };
  const label = () => {
    button.textContent = paused ? 'Go on' : 'Pause';
    say(paused ? 'paused' : 'live');
    words.title = `fresh every ${Math.round(every() / 1000)} s, while this page can be seen`;
  };

  async function look() {
    if (asking) return;
    asking = true;
    let after = every();
    try {
      const fresh = await again(location.href);
      if (paused || document.hidden) return;
      main.dataset.every = fresh.getElementById('main').dataset.every;
      for (const part of main.querySelectorAll('[data-live]')) refresh(part, fresh.getElementById(part.id));
      after = every();
      label();
    } catch (error) {
      say(`no answer: ${error.message}; asking again`);
      after = Math.max(error.after || 0, 2 * every());
    } finally {
      asking = false;
      plan(after);
    }
  }

  button.addEventListener('click', () => { paused = !paused; label(); plan(0); });
  document.addEventListener('visibilitychange', () => plan(0));
  label();
  plan(every());
}

// Not under somebody's hands: what has the focus, or a part of the selection, stays as it is.
function refresh(old, fresh) {
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

// The table is as high as all its rows. Those that are far from the view are gaps.
function fillRows(table) {
  const total = Number(table.dataset.rows);
  const size = Number(table.dataset.size);
  const MOST = 12;
  const given = table.tBodies[0];
  const first = given ? Number(given.dataset.from) : 0;
  // Without a look that is kept, or in the middle of a page, there are the links.
  if (!given || !given.rows.length || total <= size || !table.dataset.look || first % size) return;
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
    body.dataset.state = 'asked';
    const address = new URL(table.dataset.next, location.href);
    address.searchParams.set('from', body.dataset.from);
    try {
      const fresh = await again(address);
      const rows = fresh.querySelector('#tasks tbody');
      if (!rows || fresh.getElementById('tasks').dataset.look !== table.dataset.look) {
        throw new Error('the look at the tasks is not kept any more; look again');
      }
      body.replaceChildren(...document.adoptNode(rows).childNodes);
      body.dataset.state = 'rows';
      filled.push(body);
    } catch (error) {
      body.dataset.state = 'gap';
      complain(table, error.message);
      return;
    }
    while (filled.length > MOST) {
      const far = filled.findIndex((body) => !near(body));
      if (far < 0) break;
      gap(filled.splice(far, 1)[0]);
    }
  };
  const near = (body) => {
    const box = body.getBoundingClientRect();
    return box.bottom > -3000 && box.top < innerHeight + 3000;
  };

  const watcher = new IntersectionObserver((seen) => {
    // Who scrolls past does not wait for what is gone by.
    for (const each of seen) if (each.isIntersecting) setTimeout(() => { if (near(each.target)) fill(each.target); }, 60);
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

function complain(table, text) {
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

function takeInPlace(form) {
  const box = document.getElementById('progress');
  const bar = box.querySelector('progress');
  const words = document.getElementById('progress-words');
  const error = document.getElementById('take-error');
  let abort = null;
  box.querySelector('button').addEventListener('click', () => abort?.abort());

  // What shows a moment is mostly asked for without a time; what is summed up, or takes time, with one.
  const seconds = form.elements.seconds;
  const meant = seconds.value;
  form.elements.source.addEventListener('change', (event) => {
    seconds.value = 'instant' in event.target.selectedOptions[0].dataset ? '' : meant;
  });

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (abort) return;
    abort = new AbortController();
    const asked = new URLSearchParams(new FormData(form));
    error.textContent = '';
    bar.value = 0;
    words.textContent = `Taking ${asked.get('source')}${asked.get('seconds') ? `, ${asked.get('seconds')} s` : ''}`;
    box.hidden = false;
    box.querySelector('button').focus();
    try {
      const answer = await fetch(`${form.action}?${asked}`, {
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
  // Whoever comes back by the history finds the form as it was.
  addEventListener('pageshow', () => { if (!abort) box.hidden = true; });
}

// Reads lines of JSON to the one that tells the number of the capture.
async function lines(body, told) {
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
      told(line);
    }
  }
}

// A frame is no higher than the picture in it.
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
if (main.dataset.every) keepFresh(main);
const tasks = document.querySelector('table#tasks');
if (tasks) fillRows(tasks);
const take = document.getElementById('take');
if (take) takeInPlace(take);
const graph = document.getElementById('graph');
if (graph) fitFrame(graph);
