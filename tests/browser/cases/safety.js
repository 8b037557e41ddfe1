// What a page never does; and what it takes.
'use strict';
const assert = require('assert');
const fs = require('fs');

module.exports = {
  'its policy allows nothing that it does not need': async ({open}) => {
    const page = await open(),
      policy = await page.getAttribute('meta[http-equiv="Content-Security-Policy"]', 'content');
    assert(/^default-src 'none'/.test(policy.trim()), policy);
    assert(!/\*|https?:|unsafe-/.test(policy), policy);
    // In a task of the page's own: what is evaluated from outside may do more.
    const outcome = await page.evaluate(
      () =>
        new Promise(resolve =>
          setTimeout(async () => {
            const tried = [];
            for (const attempt of [() => fetch('http://127.0.0.1:9/'), () => new Function('return 1')()]) {
              try {
                await attempt();
                tried.push('let');
              } catch {
                tried.push('refused');
              }
            }
            resolve(tried);
          })
        )
    );
    assert.deepStrictEqual(outcome, ['refused', 'refused']);
  },

  'the file names no other place': async ({run}) => {
    const html = fs.readFileSync(run.page, 'utf8').replace(/http:\/\/www\.w3\.org\/2000\/svg/g, '');
    const code = html.slice(0, html.indexOf('id="data"')) + html.slice(html.lastIndexOf('<script>'));
    assert(!/(https?:)?\/\/[a-z0-9-]+\.[a-z]{2,}/i.test(code.replace(/\/\/ .*$/gm, '')), 'an address');
    assert(
      !/\b(fetch|XMLHttpRequest|WebSocket|innerHTML|insertAdjacentHTML|document\.write|eval)\b/.test(code),
      'a way out, or markup from text'
    );
  },

  'no color or word of another English': async ({run}) => {
    const html = fs.readFileSync(run.page, 'utf8'),
      code = html.slice(0, html.indexOf('id="data"')) + html.slice(html.lastIndexOf('<script>'));
    assert(!/colour|neighbour|grey|centre|labelled[^b]|behaviour/i.test(code));
  },

  'its size, and how long it takes (printed)': async ({open, run}) => {
    const page = await open(),
      times = await page.evaluate(async () => {
        const {frameTimes} = dlvizReport,
          middle = () => [...frameTimes].sort((a, b) => a - b)[frameTimes.length >> 1];
        frameTimes.length = 0;
        for (let k = 0; k < 60; k++) {
          zoomAt(k < 30 ? 1.02 : 1 / 1.02);
          await new Promise(requestAnimationFrame);
        }
        const zoomed = middle();
        frameTimes.length = 0;
        setMap(1);
        while (dlvizReport.moving) await new Promise(requestAnimationFrame);
        const moved = middle();
        zoomAt(8, ...dlvizReport.place(0));
        await new Promise(requestAnimationFrame);
        frameTimes.length = 0;
        for (let k = 0; k < 30; k++) dlvizReport.draw();
        return {zoomed, moved, pictures: middle()};
      });
    const [painted, ready] = await page.evaluate('[dlvizReport.painted, window.ready]');
    const size = (fs.statSync(run.page).size / 1e6).toFixed(2),
      [zoomed, moved, pictures] = [times.zoomed, times.moved, times.pictures].map(time => time.toFixed(1));
    console.log(`   ${run.n} points, ${size} MB: map after ${painted.toFixed(0)} ms, all after ${ready.toFixed(0)} ms`);
    console.log(`   a frame in ${zoomed} ms, moving ${moved} ms, with pictures ${pictures} ms`);
  },

  // Last: over all cases.
  'no page ever asked for anything or complained': async ({browser}) => {
    assert.deepStrictEqual(browser.requests, []);
    const unexpected = browser.messages.filter(message => !/Content Security Policy|127\.0\.0\.1/.test(message));
    assert.deepStrictEqual(unexpected, []);
  },
};
