-- What is known of each customer at each cut-off, and whether the customer buys in the seven days after it.
--
-- Reads the views logs, customers, products, orders, reviews and cutoffs(split, cutoff); one row per cut-off and customer
-- registered before it. Runs verbatim on DuckDB and on Spark (ANSI on or off) with exactly equal results. What keeps it
-- portable: time as epoch seconds, money as integer cents, sums of integers that are divided once at the end (a sum of
-- floating-point numbers depends on its order), ROUND around LN, and windows ordered by everything that is read from them.
--
-- Nothing looks further back than 70 days: the history before the first cut-off. So a feature means the same at all four.

WITH places AS (
    -- The target without what follows the page (?query, #fragment, ;session), and the host that the visitor came from:
    -- what stands between // and the next / ? # or port, behind user@.
    SELECT
        logs.*,
        SPLIT_PART(SPLIT_PART(SPLIT_PART(path, '?', 1), '#', 1), ';', 1) AS target,
        CASE
            WHEN referrer LIKE '%//%'
                THEN LOWER(SPLIT_PART(SPLIT_PART(SPLIT_PART(SPLIT_PART(referrer, '//', 2), '/', 1), '?', 1), '#', 1))
            ELSE ''
        END AS authority
    FROM logs
    WHERE customer_id IS NOT NULL
),

pages AS (
    -- Proxies send the whole address (GET https://shop.example.com/cart), and servers take // for /.
    SELECT
        places.*,
        REPLACE(REPLACE(
            CASE WHEN target LIKE '/%' THEN target ELSE REGEXP_EXTRACT(target, '^[a-zA-Z]+://[^/]*(/.*)$', 1) END,
            '//', '/'), '//', '/') AS page_path
    FROM places
),

parts AS (
    SELECT
        pages.*,
        SPLIT_PART(page_path, '/', 2) AS section,
        SPLIT_PART(page_path, '/', 3) AS item,
        REGEXP_EXTRACT(authority, '(^|@)([a-z0-9._-]+)(:[0-9]*)?$', 2) AS referrer_host
    FROM pages
),

events AS (
    -- The shop's pages as numbers, so that the window below sorts numbers and not texts. Whole segments of the path and
    -- whole labels of the host decide: /carton is no cart, and mail.google.com is mail and no search.
    SELECT
        customer_id,
        logged_at,
        CAST(FLOOR(logged_at / 86400) AS BIGINT) AS day,
        CASE
            WHEN section = 'product' AND item <> '' THEN 1
            WHEN section = 'search' THEN 2
            WHEN section = 'cart' THEN 3
            WHEN section = 'checkout' THEN 4
            ELSE 0
        END AS page,
        CASE
            WHEN section = 'product' AND REGEXP_EXTRACT(item, '^[0-9]{1,18}$', 0) <> '' THEN TRY_CAST(item AS BIGINT)
        END AS product_id,
        CASE
            WHEN referrer = '-' OR referrer = '' THEN 1
            WHEN referrer_host = '' THEN 0
            WHEN REGEXP_EXTRACT(
                referrer_host,
                '(^|[.])((e|web)?mail[0-9]*[.]|(g|google|hot|proton)mail[.](com?[.])?[a-z]{2,3}$'
                || '|outlook[.]((live|office|office365)[.])?com$)|^com[.]google[.]android[.]gm$',
                0
            ) <> '' THEN 3
            WHEN REGEXP_EXTRACT(
                referrer_host,
                '^((www|m|images|encrypted|cn|html|lite)[.])?(google[.](com?[.])?[a-z]{2,3}|bing[.]com|duckduckgo[.]com)$'
                || '|^com[.]google[.]android[.]googlequicksearchbox$',
                0
            ) <> '' THEN 2
            WHEN REGEXP_EXTRACT(referrer_host, '(^|[.])(facebook|instagram)[.]com$', 0) <> '' THEN 4
            ELSE 0
        END AS source,
        CASE
            WHEN agent LIKE '%iPad%' OR agent LIKE '%Tablet%' THEN 2
            WHEN agent LIKE '%Mobile%' THEN 1
            ELSE 0
        END AS device,
        CASE WHEN status >= 400 THEN 1 ELSE 0 END AS failed
    FROM parts
),

steps AS (
    -- The one window over events: seconds since the customer's event before.
    SELECT
        events.*,
        logged_at - LAG(logged_at) OVER (PARTITION BY customer_id ORDER BY logged_at, page, source, device, failed) AS pause
    FROM events
),

days AS (
    -- One row per customer and day with a visit. Cut-offs are midnights, so days are all that they need. A session
    -- begins after half an hour of silence.
    SELECT
        steps.customer_id,
        steps.day,
        MAX(logged_at) AS last_at,
        MAX(CASE WHEN page = 1 THEN logged_at END) AS last_view_at,
        MAX(CASE WHEN page = 3 THEN logged_at END) AS last_cart_at,
        COUNT(*) AS pages,
        SUM(CASE WHEN pause IS NULL OR pause >= 1800 THEN 1 ELSE 0 END) AS sessions,
        SUM(CASE WHEN pause < 1800 THEN pause ELSE 0 END) AS seconds,
        SUM(CASE WHEN page = 1 THEN 1 ELSE 0 END) AS views,
        SUM(CASE WHEN page = 2 THEN 1 ELSE 0 END) AS searches,
        SUM(CASE WHEN page = 3 THEN 1 ELSE 0 END) AS carts,
        SUM(CASE WHEN page = 4 THEN 1 ELSE 0 END) AS checkouts,
        SUM(failed) AS failures,
        SUM(CASE WHEN device = 1 THEN 1 ELSE 0 END) AS mobile_pages,
        SUM(CASE WHEN MOD(logged_at, 86400) < 21600 OR MOD(logged_at, 86400) >= 79200 THEN 1 ELSE 0 END) AS night_pages,
        -- Pages of the shop link to each other: only the first page of a visit was reached from elsewhere.
        SUM(CASE WHEN source = 1 THEN 1 ELSE 0 END) AS direct_entries,
        SUM(CASE WHEN source = 2 THEN 1 ELSE 0 END) AS search_entries,
        SUM(CASE WHEN source = 3 THEN 1 ELSE 0 END) AS mail_entries,
        CAST(SUM(price_cents) AS BIGINT) AS viewed_cents,
        COUNT(price_cents) AS priced_views
    FROM steps
    LEFT JOIN products ON products.product_id = steps.product_id
    GROUP BY steps.customer_id, steps.day
),

spaced AS (
    SELECT
        days.*,
        LAG(day) OVER (PARTITION BY customer_id ORDER BY day) AS day_before
    FROM days
),

visits AS (
    -- age: how many days before the cut-off, from 1.
    SELECT
        split,
        customer_id,
        MIN(cutoff - last_at) AS seconds_since_visit,
        MIN(cutoff - last_view_at) AS seconds_since_view,
        MIN(cutoff - last_cart_at) AS seconds_since_cart,
        SUM(CASE WHEN age <= 7 THEN 1 ELSE 0 END) AS active_days_7,
        COUNT(*) AS active_days_70,
        SUM(CASE WHEN age <= 3 THEN sessions ELSE 0 END) AS sessions_3,
        SUM(CASE WHEN age <= 7 THEN sessions ELSE 0 END) AS sessions_7,
        SUM(CASE WHEN age <= 28 THEN sessions ELSE 0 END) AS sessions_28,
        SUM(sessions) AS sessions_70,
        SUM(CASE WHEN age <= 7 THEN pages ELSE 0 END) AS pages_7,
        SUM(CASE WHEN age <= 28 THEN pages ELSE 0 END) AS pages_28,
        SUM(pages) AS pages_70,
        SUM(seconds) AS seconds_70,
        SUM(CASE WHEN age <= 7 THEN views ELSE 0 END) AS views_7,
        SUM(CASE WHEN age <= 28 THEN views ELSE 0 END) AS views_28,
        SUM(CASE WHEN age <= 28 THEN searches ELSE 0 END) AS searches_28,
        SUM(CASE WHEN age <= 7 THEN carts ELSE 0 END) AS carts_7,
        SUM(CASE WHEN age <= 28 THEN carts ELSE 0 END) AS carts_28,
        SUM(carts) AS carts_70,
        SUM(CASE WHEN age <= 7 THEN checkouts ELSE 0 END) AS checkouts_7,
        SUM(CASE WHEN age <= 28 THEN checkouts ELSE 0 END) AS checkouts_28,
        SUM(failures) AS failures_70,
        SUM(mobile_pages) AS mobile_pages_70,
        SUM(night_pages) AS night_pages_70,
        SUM(direct_entries) AS direct_entries_70,
        SUM(search_entries) AS search_entries_70,
        SUM(mail_entries) AS mail_entries_70,
        CAST(SUM(viewed_cents) AS BIGINT) AS viewed_cents_70,
        SUM(priced_views) AS priced_views_70,
        -- Spaces between active days, both within the 70 days: count, sum and sum of squares give their deviation.
        SUM(CASE WHEN age + space <= 70 THEN 1 ELSE 0 END) AS spaces,
        SUM(CASE WHEN age + space <= 70 THEN space ELSE 0 END) AS space_sum,
        SUM(CASE WHEN age + space <= 70 THEN space * space ELSE 0 END) AS space_squares
    FROM (
        SELECT
            spaced.*,
            cutoffs.split,
            cutoffs.cutoff,
            CAST(FLOOR(cutoffs.cutoff / 86400) AS BIGINT) - spaced.day AS age,
            spaced.day - spaced.day_before AS space
        FROM spaced CROSS JOIN cutoffs
    ) AS looked_back
    WHERE age BETWEEN 1 AND 70
    GROUP BY split, customer_id
),

purchases AS (
    -- A refund is a row of orders with a negative total: here it counts as an order, since the customer was there, and
    -- lowers what was spent.
    SELECT
        cutoffs.split,
        orders.customer_id,
        COUNT(*) AS orders_70,
        MIN(cutoff - ordered_at) AS seconds_since_order,
        SUM(CASE WHEN ordered_at >= cutoff - 7 * 86400 THEN 1 ELSE 0 END) AS orders_7,
        SUM(CASE WHEN ordered_at >= cutoff - 28 * 86400 THEN 1 ELSE 0 END) AS orders_28,
        -- Refunds are negative, so a partial sum may be larger than the whole: it has more digits than a BIGINT.
        CAST(SUM(CASE WHEN ordered_at >= cutoff - 28 * 86400 THEN CAST(total_cents AS DECIMAL(38, 0)) ELSE 0 END)
            AS BIGINT) AS spent_28,
        CAST(SUM(CAST(total_cents AS DECIMAL(38, 0))) AS BIGINT) AS spent_70
    FROM orders CROSS JOIN cutoffs
    WHERE ordered_at >= cutoff - 70 * 86400 AND ordered_at < cutoff
    GROUP BY cutoffs.split, orders.customer_id
),

buyers AS (
    -- The label is the only thing that looks ahead. It has its own table: were it a column of purchases, a row there
    -- without an order in the past would give the future away (0 orders instead of none).
    SELECT DISTINCT cutoffs.split, orders.customer_id, CAST(1 AS BIGINT) AS bought
    FROM orders CROSS JOIN cutoffs
    -- Who sends something back does not buy. An order may be free.
    WHERE ordered_at >= cutoff AND ordered_at < cutoff + 7 * 86400 AND COALESCE(total_cents, 0) >= 0
),

opinions AS (
    SELECT
        cutoffs.split,
        reviews.customer_id,
        COUNT(*) AS reviews_70,
        CAST(SUM(rating) AS BIGINT) AS rating_sum,
        COUNT(rating) AS ratings,
        SUM(LENGTH(text)) AS text_length,
        SUM(CASE WHEN rating <= 2 THEN 1 ELSE 0 END) AS complaints,
        MIN(cutoff - reviewed_at) AS seconds_since_review
    FROM reviews CROSS JOIN cutoffs
    WHERE reviewed_at >= cutoff - 70 * 86400 AND reviewed_at < cutoff
    GROUP BY cutoffs.split, reviews.customer_id
)

-- Counts of nothing are 0; times since and means of nothing are NULL, which is XGBoost's missing value.
SELECT
    cutoffs.split,
    customers.customer_id,
    -- Nobody knows what comes after the last cut-off.
    CASE WHEN cutoffs.split <> 'score' THEN COALESCE(bought, 0) END AS bought,

    -- The customer
    CAST(FLOOR((cutoff - registered_at) / 86400) AS BIGINT) AS days_since_registration,
    newsletter,

    -- Recency
    CAST(FLOOR(seconds_since_visit / 86400) AS BIGINT) AS days_since_visit,
    CAST(FLOOR(seconds_since_view / 86400) AS BIGINT) AS days_since_view,
    CAST(FLOOR(seconds_since_cart / 86400) AS BIGINT) AS days_since_cart,
    CAST(FLOOR(seconds_since_order / 86400) AS BIGINT) AS days_since_order,
    CAST(FLOOR(seconds_since_review / 86400) AS BIGINT) AS days_since_review,

    -- Frequency
    CAST(COALESCE(active_days_7, 0) AS BIGINT) AS active_days_7,
    CAST(COALESCE(active_days_70, 0) AS BIGINT) AS active_days_70,
    CAST(COALESCE(sessions_3, 0) AS BIGINT) AS sessions_3,
    CAST(COALESCE(sessions_7, 0) AS BIGINT) AS sessions_7,
    CAST(COALESCE(sessions_28, 0) AS BIGINT) AS sessions_28,
    CAST(COALESCE(sessions_70, 0) AS BIGINT) AS sessions_70,
    CAST(COALESCE(pages_7, 0) AS BIGINT) AS pages_7,
    CAST(COALESCE(pages_28, 0) AS BIGINT) AS pages_28,
    CAST(COALESCE(orders_7, 0) AS BIGINT) AS orders_7,
    CAST(COALESCE(orders_28, 0) AS BIGINT) AS orders_28,
    CAST(COALESCE(orders_70, 0) AS BIGINT) AS orders_70,

    -- Money
    CAST(COALESCE(spent_28, 0) AS BIGINT) AS spent_cents_28,
    -- The logarithm of one cent more, with the sign of what was spent: refunds may outweigh the purchases.
    CASE WHEN spent_70 < 0 THEN -1 ELSE 1 END
        * ROUND(LN(CAST(1 AS DOUBLE) + ABS(CAST(COALESCE(spent_70, 0) AS DOUBLE))), 6) AS log_spent_70,
    CAST(spent_70 AS DOUBLE) / CAST(orders_70 AS DOUBLE) AS mean_order_cents_70,
    CAST(viewed_cents_70 AS DOUBLE) / NULLIF(CAST(priced_views_70 AS DOUBLE), 0) AS mean_viewed_cents_70,

    -- Steps of the funnel
    CAST(COALESCE(views_7, 0) AS BIGINT) AS views_7,
    CAST(COALESCE(views_28, 0) AS BIGINT) AS views_28,
    CAST(COALESCE(searches_28, 0) AS BIGINT) AS searches_28,
    CAST(COALESCE(carts_7, 0) AS BIGINT) AS carts_7,
    CAST(COALESCE(carts_28, 0) AS BIGINT) AS carts_28,
    CAST(COALESCE(checkouts_7, 0) AS BIGINT) AS checkouts_7,
    CAST(COALESCE(checkouts_28, 0) AS BIGINT) AS checkouts_28,
    CAST(carts_70 AS DOUBLE) / CAST(sessions_70 AS DOUBLE) AS carts_per_session_70,
    CAST(COALESCE(orders_70, 0) AS DOUBLE) / NULLIF(CAST(carts_70 AS DOUBLE), 0) AS orders_per_cart_70,

    -- Trends: the last week against its share of the last four
    CAST(4 * sessions_7 AS DOUBLE) / NULLIF(CAST(sessions_28 AS DOUBLE), 0) AS session_trend,

    -- Habits
    CAST(pages_70 AS DOUBLE) / CAST(sessions_70 AS DOUBLE) AS pages_per_session_70,
    CAST(seconds_70 AS DOUBLE) / CAST(sessions_70 AS DOUBLE) AS seconds_per_session_70,
    CASE
        WHEN spaces > 1
            THEN ROUND(
                SQRT(CAST(spaces * space_squares - space_sum * space_sum AS DOUBLE)
                    / CAST(spaces * (spaces - 1) AS DOUBLE)),
                6
            )
    END AS deviation_of_days_between_visits,
    CAST(night_pages_70 AS DOUBLE) / CAST(pages_70 AS DOUBLE) AS night_share,
    CAST(failures_70 AS DOUBLE) / CAST(pages_70 AS DOUBLE) AS failure_share,
    CAST(mobile_pages_70 AS DOUBLE) / CAST(pages_70 AS DOUBLE) AS mobile_share,
    CAST(direct_entries_70 AS DOUBLE) / CAST(sessions_70 AS DOUBLE) AS direct_share,
    CAST(search_entries_70 AS DOUBLE) / CAST(sessions_70 AS DOUBLE) AS search_share,
    CAST(mail_entries_70 AS DOUBLE) / CAST(sessions_70 AS DOUBLE) AS mail_share,

    -- Reviews
    CAST(COALESCE(reviews_70, 0) AS BIGINT) AS reviews_70,
    CAST(COALESCE(complaints, 0) AS BIGINT) AS complaints_70,
    CAST(rating_sum AS DOUBLE) / NULLIF(CAST(ratings AS DOUBLE), 0) AS mean_rating_70,
    CAST(text_length AS DOUBLE) / CAST(reviews_70 AS DOUBLE) AS mean_review_length_70
FROM customers
CROSS JOIN cutoffs
LEFT JOIN visits ON visits.split = cutoffs.split AND visits.customer_id = customers.customer_id
LEFT JOIN purchases ON purchases.split = cutoffs.split AND purchases.customer_id = customers.customer_id
LEFT JOIN buyers ON buyers.split = cutoffs.split AND buyers.customer_id = customers.customer_id
LEFT JOIN opinions ON opinions.split = cutoffs.split AND opinions.customer_id = customers.customer_id
WHERE registered_at < cutoff
