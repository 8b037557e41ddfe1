// How it looks to all readers: contrast, themes, widths, paper, assistive technology.
'use strict';
const assert = require('assert');
const {text, state, selected} = require('../actions.js');
const {until} = require('../browser.js');

const WIDTHS = [
  [360, 780],
  [800, 1000],
  [1500, 900],
];

function luminance(color) {
  const [r, g, b] = color
    .map(value => value / 255)
    .map(value => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

const numbers = color =>
  color
    .match(/[\d.]+/g)
    .map(Number)
    .slice(0, 3);

// Everything there can be on the page at once.
async function busy(page, run) {
  await page.evaluate(point => {
    for (const details of document.querySelectorAll('details')) details.open = true;
    selectCell(-1, 5);
    toggleClass(3);
    selectPoint(point);
  }, run.wrong[0]);
}

async function violations(browser, page) {
  await page.evaluate(browser.axe);
  return page.evaluate(async () => {
    const found = await axe.run(document, {resultTypes: ['violations']});
    return found.violations.map(each => `${each.id} (${each.impact}) ${each.nodes.length}: ${each.nodes[0].html.slice(0, 160)}`);
  });
}

const cases = {};

for (const colorScheme of ['light', 'dark']) {
  for (const [width, height] of WIDTHS) {
    cases[`axe-core finds nothing, ${colorScheme}, ${width} wide`] = async ({open, browser, run, index}) => {
      const page = await open(null, {colorScheme, viewport: {width, height}});
      assert.deepStrictEqual(await violations(browser, page), []);
      await busy(page, run);
      assert.deepStrictEqual(await violations(browser, page), []);
      if (!index) return;
      const several = await open(index, {colorScheme, viewport: {width, height}});
      assert.deepStrictEqual(await violations(browser, several), []);
    };
  }

  cases[`what is drawn has a contrast of 3, ${colorScheme}`] = async ({open}) => {
    const page = await open(null, {colorScheme}),
      paper = numbers(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
    const fills = await page.evaluate(() =>
      [...document.querySelectorAll('#legend path')].map(path => getComputedStyle(path).fill)
    );
    const steps = [];
    for (const color of ['confidence', 'neighbors', 'errors']) {
      steps.push(
        ...(await page.evaluate(name => {
          setColor(name);
          return [...document.querySelectorAll('#scale i')].map(each => getComputedStyle(each).backgroundColor);
        }, color))
      );
    }
    assert(fills.length >= 10 && steps.length >= 14);
    for (const fill of [...fills, ...steps]) {
      const blended = numbers(fill).map((value, k) => 0.9 * value + 0.1 * paper[k]);
      assert(contrast(blended, paper) >= 3, `${fill} has ${contrast(blended, paper)}`);
    }
  };
}

for (const [width, height] of WIDTHS) {
  cases[`nothing runs over, ${width} wide`] = async ({open, run, index}) => {
    for (const file of [null, index].filter(each => each !== undefined && (each || each === null))) {
      const page = await open(file, {viewport: {width, height}});
      await busy(page, run);
      const over = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert(over[0] <= over[1], over.join(' > '));
      const map = await page.locator('#stage').boundingBox();
      assert(map.width >= Math.min(width, 1000) * 0.5 && map.height >= 250, JSON.stringify(map));
      if (!index) break;
    }
  };
}

module.exports = {
  ...cases,

  'a table that is cut off says so, at 360': async ({open}) => {
    const page = await open(null, {viewport: {width: 360, height: 780}});
    const boxes = await page.evaluate(() =>
      ['matrix', 'layers', 'measures'].map(id => {
        const box = document.getElementById(id);
        return [box.scrollWidth > box.clientWidth + 1, box.classList.contains('goes-on'), !box.nextElementSibling.hidden];
      })
    );
    for (const [over, fades, told] of boxes) assert(fades === over && told === over, JSON.stringify(boxes));
    assert(boxes[0][0] && !boxes[2][0], JSON.stringify(boxes));
    await page.evaluate(() => (document.getElementById('matrix').scrollLeft = 1e6));
    await until(page, `!document.getElementById('matrix').classList.contains('goes-on')`);
  },

  'text is not tiny, targets not small, at 360': async ({open, run}) => {
    const page = await open(null, {viewport: {width: 360, height: 780}});
    await busy(page, run);
    const small = await page.evaluate(() =>
      [...document.querySelectorAll('main *, header *')]
        .filter(
          each =>
            each.childNodes.length &&
            [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()) &&
            each.getClientRects().length &&
            parseFloat(getComputedStyle(each).fontSize) < 11
        )
        .map(each => each.outerHTML.slice(0, 80))
    );
    assert.deepStrictEqual(small, []);
    const targets = await page.evaluate(() =>
      [...document.querySelectorAll('button, select, input')]
        .filter(each => each.offsetParent)
        .map(each => [(each.closest('label') || each).getBoundingClientRect(), each.outerHTML.slice(0, 80)])
        .filter(([box]) => box.height < 23.5 || box.width < 23.5)
        .map(each => each[1])
    );
    assert.deepStrictEqual(targets, []);
  },

  'light or dark as the system is, until chosen': async ({open}) => {
    const name = page => page.evaluate('document.documentElement.dataset.theme'),
      page = await open(null, {colorScheme: 'dark'});
    assert.strictEqual(await name(page), 'dark');
    await page.emulateMedia({colorScheme: 'light'});
    await until(page, `document.documentElement.dataset.theme === 'light'`);
    await page.click('#theme');
    assert.strictEqual(await name(page), 'dark');
    assert.strictEqual(await state(page, 'theme'), 'dark');
    const paper = await page.evaluate(() => [...document.getElementById('points').getContext('2d').getImageData(1, 1, 1, 1).data]);
    assert(luminance(paper.slice(0, 3)) < 0.05, 'the map is dark too');
    await page.emulateMedia({colorScheme: 'dark'});
    await page.emulateMedia({colorScheme: 'light'});
    assert.strictEqual(await name(page), 'dark');
  },

  'on paper: white, without controls, everything else': async ({open}) => {
    const page = await open(null, {colorScheme: 'dark'});
    await page.emulateMedia({media: 'print', colorScheme: 'dark'});
    await page.waitForTimeout(200);
    assert.strictEqual(await page.evaluate('document.documentElement.dataset.theme'), 'light');
    for (const selector of ['#overlay', '#lasso', '#theme', '#play', '#wanted', '#epoch'])
      assert(!(await page.locator(selector).isVisible()), selector);
    for (const selector of ['#points', '#gallery', '#matrix', '#measures', 'h1'])
      assert(await page.locator(selector).isVisible(), selector);
    assert(
      await page.evaluate(
        () => document.getElementById('gallery').scrollHeight <= document.getElementById('gallery').clientHeight + 1
      )
    );
    await page.emulateMedia({media: 'screen', colorScheme: 'dark'});
    await page.waitForTimeout(200);
    assert.strictEqual(await page.evaluate('document.documentElement.dataset.theme'), 'dark');
    const pdf = await page.pdf({format: 'A4'});
    const wide = [...pdf.toString('latin1').matchAll(/\/Subtype \/Image[^>]*?\/Width (\d+)/g)].map(match => Number(match[1]));
    assert(
      pdf.toString('latin1', 0, 4) === '%PDF' && Math.max(...wide) > 400,
      `its widest image has ${Math.max(...wide)} pixels: the map is not among them`
    );
  },

  'without scripts a text says where the numbers are': async ({open}) => {
    const page = await open(null, {javaScriptEnabled: false, waits: false});
    assert((await page.locator('noscript').innerText()).length > 20);
    assert((await page.title()).length > 0);
  },

  'the live region tells what a click and a selection did': async ({open, run}) => {
    const page = await open();
    assert.strictEqual(await page.getAttribute('#status', 'role'), 'status');
    await page.click('.matrix button[data-cell="8 -1"]');
    assert((await text(page, '#status')).startsWith(`True 8: ${(await selected(page)).length.toLocaleString('en-US')} images`));
    await page.evaluate(point => selectPoint(point), run.wrong[0]);
    assert((await text(page, '#status')).includes(', wrong'));
  },
};
