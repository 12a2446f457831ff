//! The macro `value!`.

/// Makes a [`Value`](crate::Value) of what is written: `value!({ name = "Ada", tags = ["a", "b"] })`.
///
/// `{ key = value, .. }` is a table with text keys, `{ [key] = value, .. }` one with any keys,
/// `[value, ..]` a sequence, `nil` the absent value. Everything else is an expression that converts
/// into a `Value`.
///
/// ```
/// use moonlet::value;
/// let order = value!({ sku = "A-12", count = 1 + 2, tags = ["new", "sale"], [1] = true });
/// assert_eq!(order.get("tags").and_then(|tags| tags.at(2)), Some(&value!("sale")));
/// assert_eq!(value!(nil), moonlet::Value::Nil);
/// ```
#[macro_export]
macro_rules! value {
    (nil) => { $crate::Value::Nil };
    ([ $($items:tt)* ]) => { $crate::value!(@items [] $($items)*) };
    ({ $($pairs:tt)* }) => { $crate::value!(@pairs [] $($pairs)*) };

    // The items that were read, then the others.
    (@items [ $($done:expr,)* ]) => {
        $crate::Value::sequence(::std::vec::Vec::<$crate::Value>::from([ $($done),* ]))
    };
    (@items [ $($done:expr,)* ] nil $(, $($rest:tt)*)?) => {
        $crate::value!(@items [ $($done,)* $crate::Value::Nil, ] $($($rest)*)?)
    };
    (@items [ $($done:expr,)* ] [ $($item:tt)* ] $(, $($rest:tt)*)?) => {
        $crate::value!(@items [ $($done,)* $crate::value!([ $($item)* ]), ] $($($rest)*)?)
    };
    (@items [ $($done:expr,)* ] { $($item:tt)* } $(, $($rest:tt)*)?) => {
        $crate::value!(@items [ $($done,)* $crate::value!({ $($item)* }), ] $($($rest)*)?)
    };
    (@items [ $($done:expr,)* ] $item:expr $(, $($rest:tt)*)?) => {
        $crate::value!(@items [ $($done,)* $crate::Value::from($item), ] $($($rest)*)?)
    };

    // The pairs that were read, then the others.
    (@pairs [ $($done:expr,)* ]) => {
        $crate::Value::table::<$crate::Value, $crate::Value>([ $($done),* ])
    };
    (@pairs [ $($done:expr,)* ] $key:ident = $($rest:tt)+) => {
        $crate::value!(@pair [ $($done,)* ] (::std::stringify!($key)) $($rest)+)
    };
    (@pairs [ $($done:expr,)* ] [ $key:expr ] = $($rest:tt)+) => {
        $crate::value!(@pair [ $($done,)* ] ($key) $($rest)+)
    };
    (@pair $done:tt ($key:expr) nil $(, $($rest:tt)*)?) => {
        $crate::value!(@push $done ($key, $crate::Value::Nil) $($($rest)*)?)
    };
    (@pair $done:tt ($key:expr) [ $($item:tt)* ] $(, $($rest:tt)*)?) => {
        $crate::value!(@push $done ($key, $crate::value!([ $($item)* ])) $($($rest)*)?)
    };
    (@pair $done:tt ($key:expr) { $($item:tt)* } $(, $($rest:tt)*)?) => {
        $crate::value!(@push $done ($key, $crate::value!({ $($item)* })) $($($rest)*)?)
    };
    (@pair $done:tt ($key:expr) $item:expr $(, $($rest:tt)*)?) => {
        $crate::value!(@push $done ($key, $crate::Value::from($item)) $($($rest)*)?)
    };
    (@push [ $($done:expr,)* ] ($key:expr, $item:expr) $($rest:tt)*) => {
        $crate::value!(@pairs [ $($done,)* ($crate::Value::from($key), $item), ] $($rest)*)
    };

    ($other:expr) => { $crate::Value::from($other) };
}
