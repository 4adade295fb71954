-- The metrics of a binary classifier, for DuckDB and for Spark, verbatim.
-- In:  view predictions(part VARCHAR, label BIGINT of 0 and 1, probability DOUBLE of 0 to 1); each part is measured alone,
-- all at once, since most of the time goes into planning where there are few rows.
-- Out: rows (part VARCHAR, name VARCHAR, bin BIGINT, value DOUBLE); bin is NULL but for the calibration's rows, three per
-- bin, and the ROC curve's, two per bin. A part without rows has none.
-- Everything starts from one row per distinct probability: ties are exact.
-- A running sum over all of them would be one task's work, so it is made of two: within a slice of the probabilities,
-- and over the slices. Slices follow each other as their probabilities do, 65,536 to a range of 1/1024: of 1, of 2^-10,
-- of 2^-20 and of 2^-30. That makes 262,145 slices at the most, and of a model's float32 outputs from 2^-40 on no slice
-- holds more than 131,072 distinct ones, however many rows there are: a task of either sum sees few rows. Powers of two,
-- for exact products.
WITH scores AS (
    SELECT
        part,
        probability,
        CASE
            WHEN probability >= 9.765625E-4 THEN CAST(FLOOR(probability * 65536E0) AS BIGINT)
            WHEN probability >= 9.5367431640625E-7 THEN CAST(FLOOR(probability * 67108864E0) AS BIGINT) - 65536
            WHEN probability >= 9.31322574615478515625E-10
                THEN CAST(FLOOR(probability * 68719476736E0) AS BIGINT) - 131072
            ELSE CAST(FLOOR(probability * 70368744177664E0) AS BIGINT) - 196608
        END AS slice,
        COUNT(*) AS n,
        CAST(SUM(label) AS BIGINT) AS pos
    FROM predictions
    GROUP BY part, probability
),
slices AS (
    SELECT part, slice, CAST(SUM(n) AS BIGINT) AS n, CAST(SUM(pos) AS BIGINT) AS pos
    FROM scores
    GROUP BY part, slice
),
above AS (
    -- All rows, and those of the slices with higher probabilities.
    SELECT
        part,
        slice,
        CAST(SUM(n) OVER (PARTITION BY part ORDER BY slice DESC ROWS UNBOUNDED PRECEDING) AS BIGINT) - n AS n_above,
        CAST(SUM(pos) OVER (PARTITION BY part ORDER BY slice DESC ROWS UNBOUNDED PRECEDING) AS BIGINT) - pos
            AS pos_above,
        CAST(SUM(n) OVER (PARTITION BY part) AS BIGINT) AS n_all,
        CAST(SUM(pos) OVER (PARTITION BY part) AS BIGINT) AS pos_all
    FROM slices
),
ranked AS (
    SELECT
        part,
        slice,
        probability,
        n,
        pos,
        CAST(SUM(n) OVER (PARTITION BY part, slice ORDER BY probability DESC ROWS UNBOUNDED PRECEDING) AS BIGINT)
            AS n_within,
        CAST(SUM(pos) OVER (PARTITION BY part, slice ORDER BY probability DESC ROWS UNBOUNDED PRECEDING) AS BIGINT)
            AS pos_within
    FROM scores
),
running AS (
    SELECT
        ranked.part,
        ranked.probability,
        ranked.n,
        ranked.pos,
        ranked.n - ranked.pos AS neg,
        -- With this probability or a higher one.
        above.n_above + ranked.n_within AS n_from,
        above.pos_above + ranked.pos_within AS pos_from,
        above.n_all,
        above.pos_all
    FROM ranked
    JOIN above ON above.part = ranked.part AND above.slice = ranked.slice
),
sums AS (
    SELECT
        part,
        CAST(SUM(n) AS BIGINT) AS n,
        CAST(SUM(pos) AS BIGINT) AS pos,
        CAST(SUM(neg) AS BIGINT) AS neg,
        -- Twice the number of (negative, positive) pairs in the right order, ties counting half: an exact integer,
        -- beyond 64 bits from some billions of rows on.
        SUM(CAST(neg AS DECIMAL(19, 0)) * CAST(2 * pos_from - pos AS DECIMAL(19, 0))) AS pairs,
        -- Precision at this threshold, weighted by the recall gained there: scikit-learn's average precision.
        SUM(CAST(pos AS DOUBLE) * CAST(pos_from AS DOUBLE) / CAST(n_from AS DOUBLE)) AS precisions,
        -- Clipped as scikit-learn clips float64: 2.220446049250313E-16 is the distance from 1 to the next number.
        SUM(
            -CAST(pos AS DOUBLE)
            * LN(GREATEST(LEAST(probability, 1E0 - 2.220446049250313E-16), 2.220446049250313E-16))
            - CAST(neg AS DOUBLE)
            * LN(GREATEST(LEAST(1E0 - probability, 1E0 - 2.220446049250313E-16), 2.220446049250313E-16))
        ) AS losses,
        SUM(
            CAST(pos AS DOUBLE) * (1E0 - probability) * (1E0 - probability)
            + CAST(neg AS DOUBLE) * probability * probability
        ) AS squares
    FROM running
    GROUP BY part
),
bins AS (
    -- Ten bins of equal width; 1 belongs to the last.
    SELECT
        part,
        LEAST(CAST(FLOOR(probability * 1E1) AS BIGINT), CAST(9 AS BIGINT)) AS bin,
        CAST(SUM(n) AS DOUBLE) AS n,
        CAST(SUM(pos) AS DOUBLE) AS pos,
        SUM(CAST(n AS DOUBLE) * probability) AS probabilities
    FROM scores
    GROUP BY part, LEAST(CAST(FLOOR(probability * 1E1) AS BIGINT), CAST(9 AS BIGINT))
),
caught AS (
    -- The share of the negatives and of the positives with this probability or a higher one.
    SELECT
        part,
        CAST(n_from - pos_from AS DOUBLE) / NULLIF(CAST(n_all - pos_all AS DOUBLE), 0E0) AS negatives,
        CAST(pos_from AS DOUBLE) / NULLIF(CAST(pos_all AS DOUBLE), 0E0) AS positives
    FROM running
),
roc AS (
    -- The curve's last point in each hundredth of the negatives: enough to draw it, however many rows there are.
    SELECT
        part,
        CAST(FLOOR(negatives * 1E2) AS BIGINT) AS bin,
        MAX(negatives) AS negatives,
        MAX(positives) AS positives
    FROM caught
    WHERE negatives IS NOT NULL AND positives IS NOT NULL
    GROUP BY part, CAST(FLOOR(negatives * 1E2) AS BIGINT)
)
SELECT
    sums.part,
    metric.name,
    CAST(NULL AS BIGINT) AS bin,
    CASE
        WHEN metric.name = 'rows' THEN CAST(sums.n AS DOUBLE)
        WHEN metric.name = 'positives' THEN CAST(sums.pos AS DOUBLE)
        WHEN metric.name = 'auc' AND sums.pos > 0 AND sums.neg > 0
            THEN CAST(sums.pairs AS DOUBLE) / (2E0 * CAST(sums.pos AS DOUBLE) * CAST(sums.neg AS DOUBLE))
        WHEN metric.name = 'average_precision' AND sums.pos > 0 THEN sums.precisions / CAST(sums.pos AS DOUBLE)
        WHEN metric.name = 'log_loss' AND sums.n > 0 THEN sums.losses / CAST(sums.n AS DOUBLE)
        WHEN metric.name = 'brier' AND sums.n > 0 THEN sums.squares / CAST(sums.n AS DOUBLE)
    END AS value
FROM sums
CROSS JOIN (
    VALUES ('rows'), ('positives'), ('auc'), ('average_precision'), ('log_loss'), ('brier')
) AS metric(name)
UNION ALL
SELECT
    bins.part,
    metric.name,
    bins.bin,
    CASE
        WHEN metric.name = 'bin_rows' THEN bins.n
        WHEN metric.name = 'bin_mean_probability' THEN bins.probabilities / bins.n
        WHEN metric.name = 'bin_positive_rate' THEN bins.pos / bins.n
    END AS value
FROM bins
CROSS JOIN (VALUES ('bin_rows'), ('bin_mean_probability'), ('bin_positive_rate')) AS metric(name)
UNION ALL
SELECT
    roc.part,
    metric.name,
    roc.bin,
    CASE
        WHEN metric.name = 'roc_false_positive_rate' THEN roc.negatives
        WHEN metric.name = 'roc_true_positive_rate' THEN roc.positives
    END AS value
FROM roc
CROSS JOIN (VALUES ('roc_false_positive_rate'), ('roc_true_positive_rate')) AS metric(name)
