// The film: slider, playing, what follows them.
'use strict';
const assert = require('assert');
const {skip, still, state, text, matrix, choose} = require('../actions.js');
const {until} = require('../browser.js');

const frames = page =>
  page.evaluate(() => dlvizReport.runs[0].frames.map(frame => ({epoch: frame.epoch, accuracy: frame.accuracy})));

async function openFilm({open}) {
  const page = await open(),
    film = await frames(page);
  if (film.length < 2) skip('the page has one epoch');
  return {page, film};
}

module.exports = {
  'the last epoch is logits.npy: predictions and confidence': async ({open, run}) => {
    const page = await open(),
      [said, confidence] = await page.evaluate(() => {
        const last = dlvizReport.runs[0].last;
        return [[...last.predictions()], [...last.confidence()]];
      });
    for (let i = 0; i < run.n; i++) {
      const sorted = [...run.probabilities[i]].sort((a, b) => b - a);
      if (sorted[0] - sorted[1] > 1e-6) assert.strictEqual(said[i], run.said[i], `point ${i}`);
      assert(Math.abs(confidence[i] - 255 * run.confidence[i]) < 0.51, `point ${i}`);
    }
  },

  'the slider goes to each epoch: its points, accuracy, matrix': async context => {
    const {page, film} = await openFilm(context),
      {run} = context;
    await page.focus('#epoch');
    await page.keyboard.press('Home');
    for (let k = 0; k < film.length; k++) {
      await still(page);
      assert.strictEqual(await state(page, 'frame'), k);
      const shown = await text(page, '#epoch-text'),
        counts = await matrix(page, run.numClasses);
      assert(
        shown.startsWith(film[k].epoch === 0 ? 'Epoch 0: untrained' : `Epoch ${film[k].epoch} of ${film[film.length - 1].epoch}`),
        shown
      );
      assert(shown.includes(`${(100 * film[k].accuracy).toFixed(2)}`), shown);
      const right = counts.reduce((sum, row, c) => sum + row[c], 0);
      assert(Math.abs(right / run.n - film[k].accuracy) < 1e-6, `${right} of ${run.n} right at ${film[k].accuracy}`);
      assert.strictEqual(
        counts.flat().reduce((sum, value) => sum + value, 0),
        run.n
      );
      const [map, position] = await page.evaluate(which => {
        const values = dlvizReport.runs[0].frames[which].maps[0]();
        return [[values[10] / 65535, values[11] / 65535], dlvizReport.position(5)];
      }, k);
      assert(Math.abs(map[0] - position[0]) < 1e-5 && Math.abs(map[1] - position[1]) < 1e-5);
      if (k === 0) assert((await text(page, '#inspector')).includes('at this epoch'));
      await page.keyboard.press('ArrowRight');
    }
    assert.deepStrictEqual(await matrix(page, run.numClasses), run.confusion());
  },

  'what is said of a selection follows the epoch': async context => {
    const {page} = await openFilm(context);
    const said = await page.evaluate(() => {
      setLasso({run: 0, map: 0, frame: dlvizReport.state.frame, corners: [0, 0, 1000, 0, 1000, 1000, 0, 1000]});
      selectionChanged();
      sayAgain();
      const before = document.getElementById('status').textContent;
      setFrame(0);
      const selected = [...dlvizReport.standing.keys()].filter(i => dlvizReport.standing[i] === 2),
        predictions = dlvizReport.runs[0].frames[0].predictions();
      return [before, document.getElementById('status').textContent, selected.filter(i => predictions[i] !== labels[i]).length];
    });
    assert.notStrictEqual(said[0], said[1]);
    assert(said[1].endsWith(` selected, ${said[2].toLocaleString('en-US')} of them wrong.`), said.join(' | '));
  },

  'points move on the way': async context => {
    const {page} = await openFilm(context);
    const places = await page.evaluate(async () => {
      const result = [];
      setFrame(0);
      for (let k = 0; k < 6; k++) {
        await new Promise(resolve => setTimeout(resolve, 60));
        result.push(dlvizReport.position(5).join());
      }
      return result;
    });
    assert(new Set(places).size > 3, places.join(' | '));
  },

  'with reduced motion they are there at once': async ({open}) => {
    const page = await open(null, {reducedMotion: 'reduce'});
    await page.evaluate(() => setFrame(0));
    assert.strictEqual(await page.evaluate('dlvizReport.moving'), false);
    await choose(page, 'map', 'PCA');
    assert.strictEqual(await page.evaluate('dlvizReport.moving'), false);
    assert.strictEqual(await page.evaluate(() => getComputedStyle(document.getElementById('play')).transitionDuration), '0s');
  },

  'Play shows all epochs and ends with the last': async context => {
    const {page, film} = await openFilm(context);
    await page.evaluate(() => {
      window.seen = [];
      setInterval(() => window.seen.push(dlvizReport.state.frame), 50);
    });
    await page.click('#play');
    assert.strictEqual(await text(page, '#play'), 'Stop');
    await until(page, `document.getElementById('play').textContent === 'Play'`, 1500 * film.length + 3000);
    const seen = await page.evaluate('[...new Set(window.seen)]');
    assert.deepStrictEqual(
      seen.slice(-film.length).sort((a, b) => a - b),
      [...film.keys()]
    );
    assert.strictEqual(await state(page, 'frame'), film.length - 1);
  },

  'Stop stops': async context => {
    const {page} = await openFilm(context);
    await page.click('#play');
    await page.click('#play');
    const at = await state(page, 'frame');
    await page.waitForTimeout(1500);
    assert.strictEqual(await state(page, 'frame'), at);
  },

  'before the last epoch, probabilities are not made up': async context => {
    const {page} = await openFilm(context);
    await page.evaluate(() => {
      selectPoint(0);
      setFrame(0);
    });
    assert.strictEqual(await page.locator('#probabilities').count(), 0);
    assert((await text(page, '#inspector')).includes('kept for the last epoch'));
  },
};
